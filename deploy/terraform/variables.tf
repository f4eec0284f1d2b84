variable "application_name" {
  description = "Name of the application, as the worker is given it; also the name of its lease table."
  type        = string
  default     = "click-counter"
}

variable "stream_name" {
  description = "Name of the stream."
  type        = string
  default     = "clicks"
}

variable "control_table_name" {
  description = "Name of the control table. Applications may share it: leases.controlTableName."
  type        = string
  default     = "millrace-control"
}

variable "lag_alarm_seconds" {
  description = "How far the application may be behind for five minutes before somebody is woken up."
  type        = number
  default     = 300
}

variable "alarm_topics" {
  description = "ARNs of SNS topics that alarms go to."
  type        = list(string)
  default     = []
}

variable "worker_principals" {
  description = "Services that may take the role of a worker: ecs-tasks.amazonaws.com, ec2.amazonaws.com, pods.eks.amazonaws.com."
  type        = list(string)
  default     = ["ecs-tasks.amazonaws.com"]
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
