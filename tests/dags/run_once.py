"""Run DAGs for real, one after the other, in this process.

`python run_once.py DAGS_FOLDER JSON`, where the JSON is a list of [dag_id, logical date, conf].
"""

import json
import sys
from datetime import datetime

from airflow.dag_processing.dagbag import DagBag

sys.path.insert(0, sys.argv[1])
bag = DagBag(sys.argv[1])
assert not bag.import_errors, bag.import_errors
if "--spark" in sys.argv:  # one session for all tasks: each would start its own
    from features.spark import session
    from recsys.settings import load

    session(load().features.spark)
for dag_id, when, conf in json.loads(sys.argv[2]):
    dag = bag.dags[dag_id]
    dag.deadline = None  # dag.test() of Airflow 3.3 trips over its own form of a deadline
    run = dag.test(logical_date=datetime.fromisoformat(when), run_conf=conf)
    states: dict[str, list[str]] = {}
    for task in run.get_task_instances():
        states.setdefault(task.task_id, []).append(str(task.state))
    told = {"dag": dag_id, "run": str(run.state), "tasks": states}
    sys.stdout.write("\nSTATES " + json.dumps(told) + "\n")
    sys.stdout.flush()
