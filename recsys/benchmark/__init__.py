"""Measurements that anybody can repeat on data of their own."""
