"""The infrastructure as code: one CDK app for AWS and, through the checked-in templates, for the local cloud."""
