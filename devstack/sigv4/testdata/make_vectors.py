#!/usr/bin/env python3
"""Makes vectors.json: tokens and requests signed by botocore (pip install botocore), under a frozen clock.

    python3 make_vectors.py > vectors.json

The keys are the ones of AWS's documentation.
"""
import datetime
import json

import botocore
import botocore.auth
import botocore.session
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

NOW = datetime.datetime(2026, 1, 31, 12, 0, 0, tzinfo=datetime.timezone.utc)
KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SESSION = "IQoJb3JpZ2luX2VjEA//////////" + "Abc+/=" * 60


def freeze():
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: NOW.replace(tzinfo=None) if remove_tzinfo else NOW


def token(name, host, port, user, region="us-east-1", session=None):
    client = botocore.session.get_session().create_client("rds", region_name=region, aws_access_key_id=KEY, aws_secret_access_key=SECRET, aws_session_token=session)
    made = client.generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user)
    return {"name": name, "host": host, "port": port, "user": user, "region": region, "session_token": session or "", "token": made}


def request(name, service, method, url, body="", headers=None, session=None, presign=False, region="us-east-1"):
    made = AWSRequest(method, url, headers or {}, body.encode())
    credentials = Credentials(KEY, SECRET, session)
    if presign:
        signer = (botocore.auth.S3SigV4QueryAuth if service == "s3" else botocore.auth.SigV4QueryAuth)(credentials, service, region, expires=60)
    else:
        signer = (botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth)(credentials, service, region)
    signer.add_auth(made)
    sent = made.prepare()
    return {"name": name, "service": service, "region": region, "method": method, "url": sent.url, "body": body, "session_token": session or "",
            "headers": {k: v if isinstance(v, str) else v.decode() for k, v in sent.headers.items() if k.lower() != "content-length"}}


def main():
    freeze()
    form = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    rds = "mydb.cluster-xyz.us-east-1.rds.amazonaws.com"
    tokens = [
        token("plain", rds, 5432, "app"),
        token("session token", rds, 5432, "app", session=SESSION),
        token("user with a space, a plus and a slash", rds, 5432, "a b+c/d"),
        token("user with signs of a URL", rds, 5432, "a&b=c?d#e%20f"),
        token("user in another script", rds, 5432, "зоя-ñ"),
        token("region in China", "mydb.xyz.rds.cn-north-1.amazonaws.com.cn", 5432, "app", region="cn-north-1"),
        token("host in mixed case", "MyDB.Cluster-XYZ.us-east-1.rds.amazonaws.com", 5432, "app"),
        token("port 443", rds, 443, "app"),
        token("port 80", rds, 80, "app"),
        token("port on loopback", "localhost", 40123, "app", session=SESSION),
    ]
    requests = [
        request("form", "sts", "POST", "http://127.0.0.1:4000/", "Action=GetCallerIdentity&Version=2011-06-15", dict(form)),
        request("form with a session", "redshift", "POST", "http://127.0.0.1:4000/", "Action=DescribeClusters&Version=2012-12-01", dict(form), session=SESSION),
        request("JSON", "redshift-serverless", "POST", "http://127.0.0.1:4000/", '{"workgroupName":"my-workgroup"}',
                {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "RedshiftServerless.GetCredentials"}),
        request("spaces in a header", "sts", "POST", "http://127.0.0.1:4000/", "", {"X-Amz-Meta-Note": "  two   words  "}),
        request("query with duplicates, and order by value", "sts", "GET", "http://localhost:4000/?b=2&a=z&a=b&a=%20&c=&d=%2B%2F"),
        request("path that needs encoding", "execute-api", "GET", "http://localhost:4000/a%20b/c%2Fd/e"),
        request("path of an object", "s3", "GET", "http://localhost:4000/my-bucket/a%20b/c%2B~d"),
        request("presigned", "sts", "GET", "http://localhost:4000/?Action=GetCallerIdentity&Version=2011-06-15", presign=True),
        request("presigned with a session", "sts", "GET", "http://localhost:4000/?Action=GetCallerIdentity&Version=2011-06-15", presign=True, session=SESSION),
        request("presigned object", "s3", "GET", "http://localhost:4000/my-bucket/a%20b", presign=True),
        request("default port", "sts", "GET", "http://EXAMPLE.com:80/"),
    ]
    print(json.dumps({"botocore": botocore.__version__, "now": NOW.strftime("%Y-%m-%dT%H:%M:%SZ"), "access_key_id": KEY, "secret_access_key": SECRET,
                      "tokens": tokens, "requests": requests}, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
