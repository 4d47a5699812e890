"""The contract: resources, requests and the rules that need no technology. The SDK shares it."""
