// Command airhook opens named connections to PostgreSQL and Amazon Redshift from a shell: it keeps them in Airflow's
// formats, logs in with AWS IAM, tests and explains them, and runs SQL.
//
//	airhook connections add warehouse --conn-uri 'redshift://app@…?iam=true'
//	airhook connections test warehouse
//	airhook sql warehouse 'SELECT current_user' -o json
//
// It translates flags to one call of the library and the answer to text or JSON; what the call does is documented
// there. Results go to standard output, everything else to standard error; failure.go has the exit codes.
package main
