# For a look at the plan: terraform plan -var-file=example.tfvars
project_id = "my-project-123"
