output "worker_role_arn" {
  description = "The role of a worker: taskRoleArn, or the annotation of the service account."
  value       = aws_iam_role.this["worker"].arn
}

output "operator_role_arns" {
  description = "The roles of those who look, and of those who act."
  value       = { for name in ["viewer", "operator"] : name => aws_iam_role.this[name].arn }
}

output "stream_arn" {
  description = "The stream."
  value       = aws_kinesis_stream.this.arn
}
