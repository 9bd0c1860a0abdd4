"""Who callers are: STS's answer to them, the role they act as, and what IAM says they may do.

Every key that was not issued here acts as SageMaker's execution role, as a notebook on AWS does.
The role stands in the IAM of every account from the first use on, is left to the user to change,
replace or delete, and comes back with a reset. No policy is ever enforced, so a simulation's
answer is always "allowed". Like the rest of IAM and STS, all of it lives in memory.
"""

import json
import re
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.exceptions import InvalidInput, NotFoundException
from moto.iam.models import AWSManagedPolicy, IAMBackend, iam_backends
from moto.iam.responses import IamResponse
from moto.sts.responses import TokenResponse

EXECUTION_ROLE = "AmazonSageMaker-ExecutionRole"
"""Name of the role; SDKs give a role with this in its name the path below, asked or not."""
ROLE_PATH = "/service-role/"
SESSION = "SageMaker"
_DESCRIPTION = "What callers of the emulator act as unless their keys were issued by it."
_POLICY = "AmazonSageMakerFullAccess"
_PRINCIPAL = re.compile(r"arn:[a-z-]+:iam::\d{12}:(user|group|role)/(?:.*/)?([^/]+)")
_PAGE = 100
"""Results on a page of a simulation when the request names no number."""

_TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sagemaker.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


class Sts(TokenResponse):
    """moto's STS, whose callers are a role rather than a user."""

    def get_caller_identity(self) -> ActionResult:
        """Name the user or role that the key was issued to, else the execution role."""
        key = self.get_access_key()
        iam = iam_backends[self.current_account][self.partition]
        issued = self.backend.get_assumed_role_from_access_key(key)
        if issued or iam.get_user_from_access_key_id(key):
            return super().get_caller_identity()
        account, partition = self.current_account, self.partition
        role = _role(iam, EXECUTION_ROLE)
        return ActionResult(
            {
                "UserId": f"{role.id if role else 'AROA' + account}:{SESSION}",
                "Account": account,
                "Arn": f"arn:{partition}:sts::{account}:assumed-role/{EXECUTION_ROLE}/{SESSION}",
            }
        )


class Iam(IamResponse):
    """moto's IAM with the policy simulator, which knows that nothing is denied here."""

    def simulate_principal_policy(self) -> ActionResult:
        """Allow every action on every resource to a user, group or role that exists."""
        self._require_principal(self._get_param("PolicySourceArn"))
        return self._allow_all()

    def simulate_custom_policy(self) -> ActionResult:
        """Allow every action on every resource, whatever the policies say."""
        return self._allow_all()

    def _require_principal(self, arn: str) -> None:
        match = _PRINCIPAL.fullmatch(arn)
        if match is None:
            raise InvalidInput(f"Invalid Entity Arn: {arn}")
        kind, name = match.groups()
        find: Callable[[str], Any] = {
            "user": self.backend.get_user,
            "group": self.backend.get_group,
            "role": self.backend.get_role,
        }[kind]
        if find(name).arn != arn:
            raise NotFoundException(f"{kind.capitalize()} {arn} not found")

    def _allow_all(self) -> ActionResult:
        asked = list(
            product(self._get_param("ActionNames"), self._get_param("ResourceArns") or ["*"])
        )
        marker = self._get_param("Marker") or "0"
        if not (marker.isascii() and marker.isdigit()):
            raise InvalidInput(f"Invalid Marker: {marker}")
        start = int(marker)
        end = start + (self._get_int_param("MaxItems") or _PAGE)
        more = end < len(asked)
        return ActionResult(
            {
                "EvaluationResults": [
                    {
                        "EvalActionName": action,
                        "EvalResourceName": resource,
                        "EvalDecision": "allowed",
                        "MatchedStatements": [],
                        "MissingContextValues": [],
                    }
                    for action, resource in asked[start:end]
                ],
                "IsTruncated": more,
                **({"Marker": str(end)} if more else {}),
            }
        )


def _give_execution_role(backend: Any) -> None:
    """Put the execution role into an account's new IAM; moto calls it for each."""
    _moto_create_role(
        backend,
        role_name=EXECUTION_ROLE,
        assume_role_policy_document=_TRUST,
        path=ROLE_PATH,
        permissions_boundary=None,
        description=_DESCRIPTION,
        tags=[],
        max_session_duration="3600",
    )
    policy = _full_access(backend)
    backend.managed_policies.setdefault(policy.arn, policy)
    backend.attach_role_policy(policy.arn, EXECUTION_ROLE)


def _full_access(backend: Any) -> Any:
    """Return SageMaker's managed policy alone: reading all that AWS has takes a second."""
    text = aws_managed_policies_data
    at = text.index(f'"{_POLICY}":') + len(f'"{_POLICY}":')
    data, _ = json.JSONDecoder().raw_decode(text, at)
    return AWSManagedPolicy.from_data(_POLICY, backend.account_id, backend.region_name, data)


def _create_role(backend: Any, role_name: str, *args: Any, **options: Any) -> Any:
    """moto's method, except that a user's own role takes the place of the given one."""
    given = _role(backend, role_name)
    if given is None or given.description != _DESCRIPTION:
        return _moto_create_role(backend, role_name, *args, **options)
    del backend.roles[given.id]
    try:
        made = _moto_create_role(backend, role_name, *args, **options)
    except Exception:
        backend.roles[given.id] = given
        raise
    for policy in list(given.managed_policies.values()):
        policy.detach_from(given)
    return made


def _role(backend: Any, name: str) -> Any | None:
    return next((role for role in backend.get_roles() if role.name == name), None)


_Backend: Any = IAMBackend
_moto_create_role = _Backend.create_role
_Backend.create_role = _create_role
_Backend.initialize_service_roles = _give_execution_role

HANDLERS: Mapping[str, Callable[..., Any]] = {"iam": Iam.dispatch, "sts": Sts.dispatch}
"""What answers in place of moto's own handler, by moto's package."""
