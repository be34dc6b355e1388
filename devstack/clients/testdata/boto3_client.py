"""Prints what boto3 signs and gets: boto3_client.py rds HOST PORT USER REGION | redshift CLUSTER USER DATABASE | serverless WORKGROUP DATABASE | identity."""
import json
import sys

import boto3

verb, *rest = sys.argv[1:]
if verb == "rds":
    host, port, user, region = rest
    print(boto3.client("rds", region_name=region).generate_db_auth_token(host, int(port), user, region))
elif verb == "redshift":
    cluster, user, database = rest
    answer = boto3.client("redshift").get_cluster_credentials(ClusterIdentifier=cluster, DbUser=user, DbName=database, AutoCreate=False)
    print(json.dumps([answer["DbUser"], answer["DbPassword"]]))
elif verb == "serverless":
    workgroup, database = rest
    answer = boto3.client("redshift-serverless").get_credentials(workgroupName=workgroup, dbName=database)
    print(json.dumps([answer["dbUser"], answer["dbPassword"]]))
else:
    print(boto3.client("sts").get_caller_identity()["Arn"])
