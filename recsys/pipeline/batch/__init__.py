"""Batch scoring: shoppers in shards, each a file that is made once; lists do not depend on them."""

from recsys.pipeline.batch.shards import ShardDone, score_shard, work_folder

__all__ = ["ShardDone", "score_shard", "work_folder"]
