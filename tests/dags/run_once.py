"""Run the DAG for real, in this process: `python run_once.py DAGS_FOLDER CONF_JSON`."""

import json
import sys

from airflow.dag_processing.dagbag import DagBag

bag = DagBag(sys.argv[1])
assert not bag.import_errors, bag.import_errors
run = bag.dags["tailor_daily"].test(run_conf=json.loads(sys.argv[2]))
states = {task.task_id: str(task.state) for task in run.get_task_instances()}
sys.stdout.write("\nSTATES " + json.dumps({"run": str(run.state), "tasks": states}) + "\n")
