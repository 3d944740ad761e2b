# For a look at the plan: terraform plan -var-file=example.tfvars
project_id = "my-project-123"
image      = "europe-west1-docker.pkg.dev/my-project-123/shop/orders:v1"
