// Package pyjson reads and writes JSON as Python's json module does, because Airflow's extras were
// written and will be read by it.
//
// It differs from encoding/json where a connection could lose something: keys keep their order, numbers
// keep their text, NaN and Infinity are values, lone surrogates survive, and [Append] writes ", " and ": "
// with everything outside ASCII escaped – byte for byte what json.dumps writes.
//
// It is not a general codec: there is no mapping to Go structs.
package pyjson
