"""The service under load: how long lists take, and what faults do to them."""
