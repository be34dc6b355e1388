#!/usr/bin/env python3
"""Writes tokens.jsonl: RDS tokens that botocore signs at a fixed instant.

    python3 -m venv venv && venv/bin/pip install botocore==1.44.8
    venv/bin/python make_tokens.py > tokens.jsonl
"""
import datetime
import json
import sys

import botocore.auth
import botocore.credentials
import botocore.session
import botocore.signers

AT = datetime.datetime(2026, 11, 25, 12, 34, 56, tzinfo=datetime.timezone.utc)


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return AT if tz else AT.replace(tzinfo=None)

    @classmethod
    def utcnow(cls):
        return AT.replace(tzinfo=None)


class Module:
    """The datetime module with a stopped clock."""

    datetime, timedelta, timezone = Clock, datetime.timedelta, datetime.timezone


botocore.auth.datetime = Module
if hasattr(botocore.auth, "get_current_datetime"):
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: AT.replace(tzinfo=None) if remove_tzinfo else AT

KEYS = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
CASES = [
    ("long-lived keys", "us-east-1", "mydb.cluster-xyz.us-east-1.rds.amazonaws.com", 5432, "iam_user", ""),
    ("session token", "us-east-1", "mydb.cluster-xyz.us-east-1.rds.amazonaws.com", 5432, "iam_user", "IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVz+LWVhc3QtMQ=="),
    ("long session token", "eu-west-1", "db.abc.eu-west-1.rds.amazonaws.com", 5432, "app", "FwoGZXIvYXdzE/+=" * 100),
    ("user with @ and .", "us-west-2", "db.abc.us-west-2.rds.amazonaws.com", 5432, "first.last@example.com", ""),
    ("user with + and /", "us-west-2", "db.abc.us-west-2.rds.amazonaws.com", 5432, "a+b/c", ""),
    ("user with space, & and =", "us-west-2", "db.abc.us-west-2.rds.amazonaws.com", 5432, "a b&c=d%20", ""),
    ("user with tilde, star and quotes", "us-west-2", "db.abc.us-west-2.rds.amazonaws.com", 5432, "~a*b'\"(c)!", ""),
    ("user in Unicode", "eu-central-1", "db.abc.eu-central-1.rds.amazonaws.com", 5432, "jürgen-日本", ""),
    ("China", "cn-north-1", "mydb.abc.rds.cn-north-1.amazonaws.com.cn", 5432, "iam_user", ""),
    ("GovCloud", "us-gov-west-1", "mydb.abc.us-gov-west-1.rds.amazonaws.com", 5432, "iam_user", ""),
    ("mixed-case host", "us-east-1", "MyDB.Cluster-XYZ.us-east-1.rds.amazonaws.com", 5432, "iam_user", ""),
    ("port 443", "us-east-1", "mydb.xyz.us-east-1.rds.amazonaws.com", 443, "iam_user", ""),
    ("port 80", "us-east-1", "mydb.xyz.us-east-1.rds.amazonaws.com", 80, "iam_user", "token/with+signs="),
    ("other port", "us-east-1", "proxy.proxy-xyz.us-east-1.rds.amazonaws.com", 65535, "iam_user", ""),
]


def main():
    session = botocore.session.get_session()
    for name, region, host, port, user, token in CASES:
        session.set_credentials(*KEYS, token or None)
        client = session.create_client("rds", region_name=region)
        signed = botocore.signers.generate_db_auth_token(client, host, port, user, Region=region)
        case = {
            "name": name, "at": AT.isoformat().replace("+00:00", "Z"), "access_key_id": KEYS[0], "secret_access_key": KEYS[1],
            "session_token": token, "region": region, "host": host, "port": port, "user": user, "token": signed,
        }
        print(json.dumps(case, ensure_ascii=False))
    print(f"{len(CASES)} tokens by botocore {botocore.__version__}", file=sys.stderr)


main()
