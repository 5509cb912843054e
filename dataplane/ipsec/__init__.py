"""What IKE and ESP both need and neither owns: transforms, proposals, suites with their keys, traffic selectors."""
