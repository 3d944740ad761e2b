variable "project_id" {
  description = "The project to deploy to."
  type        = string
}

variable "region" {
  description = "The region to deploy to."
  type        = string
  default     = "europe-west1"
}
