"""What operators see and do over HTTP, under `/api/v1/ops`."""
