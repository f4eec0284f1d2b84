# The roles, with the policies of ../iam.
locals {
  words = {
    REGION           = data.aws_region.current.name
    ACCOUNT          = data.aws_caller_identity.current.account_id
    STREAM           = aws_kinesis_stream.this.name
    APPLICATION      = aws_dynamodb_table.leases.name
    millrace-control = aws_dynamodb_table.control.name
  }

  # Each word is replaced in turn. (Terraform has no fold.)
  policies = {
    for name in ["worker", "fan-out", "operator-read-only", "operator", "metrics-cloudwatch"] :
    name => replace(replace(replace(replace(replace(
      file("${path.module}/../iam/${name}.json"),
      "REGION", local.words["REGION"]),
      "ACCOUNT", local.words["ACCOUNT"]),
      "STREAM", local.words["STREAM"]),
      "APPLICATION", local.words["APPLICATION"]),
    "millrace-control", local.words["millrace-control"])
  }

  roles = {
    worker   = { policies = ["worker"], principals = { Service = var.worker_principals } }
    viewer   = { policies = ["operator-read-only"], principals = { AWS = [local.words["ACCOUNT"]] } }
    operator = { policies = ["operator-read-only", "operator"], principals = { AWS = [local.words["ACCOUNT"]] } }
  }

  attached = merge([
    for role, about in local.roles : { for policy in about.policies : "${role}/${policy}" => { role = role, policy = policy } }
  ]...)
}

resource "aws_iam_role" "this" {
  for_each = local.roles

  name = "${var.application_name}-${each.key}"
  tags = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = each.value.principals
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  for_each = local.attached

  name   = each.value.policy
  role   = aws_iam_role.this[each.value.role].name
  policy = local.policies[each.value.policy]
}
