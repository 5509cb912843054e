"""ESP in tunnel mode (RFC 4301, 4303, 3948), as an engine without a world. It knows nothing of how keys are agreed."""
