"""Whatever the OpenAPI allows is asked; no answer may be a 5xx or an undocumented one."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from recsys.service.app import create_app
from tests.recsys.service.conftest import copy_of, settings_of
from tests.running import Running

EXAMPLES = 25  # of each endpoint
# that a purchase is not of the future can't be said by a schema
BY_MEANING = {"/v1/events": [positive_data_acceptance]}


@pytest.fixture(scope="module")
def api(published, tmp_path_factory):
    home = copy_of(published, tmp_path_factory.mktemp("schema"))
    made = settings_of(home)
    limits = made.service.limits.model_copy(update={"rate": 0})
    service = made.service.model_copy(update={"limits": limits})
    with Running(create_app(made.model_copy(update={"service": service}))) as running:
        yield schemathesis.openapi.from_url(f"{running.url}/openapi.json")


def ask_everything_of(operation):
    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate],
    )  # fmt: skip
    @given(case=operation.as_strategy())
    def answers(case):
        case.call_and_validate(excluded_checks=BY_MEANING.get(operation.path, []))

    answers()


def test_every_answer_is_as_documented(api):
    operations = [found.ok() for found in api.get_all_operations()]
    assert len(operations) >= 12
    for operation in operations:
        ask_everything_of(operation)


def test_every_endpoint_says_what_it_takes_and_gives(client):
    told = client.get("/openapi.json").json()
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), (method, path)
            if path.startswith("/v1/"):
                assert {"401", "403", "422", "429", "503"} <= operation["responses"].keys()
                for parameter in operation.get("parameters", []):
                    assert parameter.get("description"), (path, parameter["name"])
