"""One module per CloudFormation stack; each only wires components together."""
