# A stream and the two tables of an application that reads it.
data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

resource "aws_kinesis_stream" "this" {
  name             = var.stream_name
  retention_period = 72
  encryption_type  = "KMS"
  kms_key_id       = "alias/aws/kinesis"
  tags             = var.tags

  stream_mode_details {
    stream_mode = "ON_DEMAND"
  }
}

# One row a shard, in the schema of KCL.
resource "aws_dynamodb_table" "leases" {
  name                        = var.application_name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "leaseKey"
  deletion_protection_enabled = true
  tags                        = var.tags

  attribute {
    name = "leaseKey"
    type = "S"
  }

  point_in_time_recovery {
    enabled = true
  }
}

# Heartbeats, mailboxes, the leader, orders: a few items for each worker. Nothing in it outlives the fleet.
resource "aws_dynamodb_table" "control" {
  name         = var.control_table_name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "pk"
  range_key    = "sk"
  tags         = var.tags

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }
}
