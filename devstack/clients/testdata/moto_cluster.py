"""Makes a cluster in moto's AWS: moto_cluster.py ENDPOINT_URL CLUSTER. Prints its endpoint."""
import json
import sys

import boto3

url, cluster = sys.argv[1:]
client = boto3.client("redshift", endpoint_url=url, region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any")
client.create_cluster(ClusterIdentifier=cluster, NodeType="ra3.large", MasterUsername="awsuser", MasterUserPassword="Passw0rd", DBName="dev", ClusterType="single-node")
print(json.dumps(client.describe_clusters(ClusterIdentifier=cluster)["Clusters"][0]["Endpoint"]))
