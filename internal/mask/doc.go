// Package mask hides the secrets in an extra, under the keys that Airflow hides and wherever a text looks like one.
//
//	mask.Value(v) // {"region_name": "eu-west-1", "aws_secret_access_key": "***"}
package mask
