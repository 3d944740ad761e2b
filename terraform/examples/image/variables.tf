variable "project_id" {
  description = "The project to deploy to."
  type        = string
}

variable "region" {
  description = "The region to deploy to."
  type        = string
  default     = "europe-west1"
}

variable "image" {
  description = "The image to run, by its digest, as in europe-west1-docker.pkg.dev/PROJECT/shop/orders@sha256:…."
  type        = string
}
