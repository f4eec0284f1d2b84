# By the metrics of emfMetrics() or cloudWatchMetrics(): namespace Millrace, dimensions ApplicationName and StreamName.
locals {
  dimensions = {
    ApplicationName = var.application_name
    StreamName      = var.stream_name
  }

  alarms = {
    lag = {
      metric      = "MillisBehindLatest"
      threshold   = var.lag_alarm_seconds * 1000
      periods     = 5
      missing     = "breaching"
      description = "Nobody keeps up, something stands still, or no worker is alive."
    }
    halted = {
      metric      = "HaltedShards"
      threshold   = 0
      periods     = 1
      missing     = "notBreaching"
      description = "A record fails for good, and its shard waits for somebody: millrace status."
    }
    stalled = {
      metric      = "StalledShards"
      threshold   = 0
      periods     = 5
      missing     = "notBreaching"
      description = "A handler hangs, or Kinesis does not answer."
    }
    unread = {
      metric      = "LeaseSpillover"
      threshold   = 0
      periods     = 5
      missing     = "notBreaching"
      description = "Shards are not read: every worker is full."
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "fleet" {
  for_each = local.alarms

  alarm_name          = "${var.application_name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "Millrace"
  metric_name         = each.value.metric
  dimensions          = local.dimensions
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = each.value.periods
  treat_missing_data  = each.value.missing
  alarm_actions       = var.alarm_topics
  ok_actions          = var.alarm_topics
  tags                = var.tags
}

# Without any metric of a worker, Kinesis itself knows what was read last, and nothing of what was processed.
resource "aws_cloudwatch_metric_alarm" "iterator_age" {
  alarm_name          = "${var.application_name}-iterator-age"
  alarm_description   = "What is read of the stream is old. Records expire after the retention."
  namespace           = "AWS/Kinesis"
  metric_name         = "GetRecords.IteratorAgeMilliseconds"
  dimensions          = { StreamName = var.stream_name }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = aws_kinesis_stream.this.retention_period * 3600 * 1000 / 4
  period              = 60
  evaluation_periods  = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topics
  tags                = var.tags
}
