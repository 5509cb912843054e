"""Work on an IKE SA, an exchange each: requests to build, responses to process, and the other way round."""
