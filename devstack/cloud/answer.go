package cloud

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
)

// namespaces of the answers, by the API's version.
var namespaces = map[string]string{
	"2011-06-15": "https://sts.amazonaws.com/doc/2011-06-15/",
	"2014-10-31": "http://rds.amazonaws.com/doc/2014-10-31/",
	"2012-12-01": "http://redshift.amazonaws.com/doc/2012-12-01/",
}

func itoa(i int) string { return strconv.Itoa(i) }

func writeAnswer(w http.ResponseWriter, c call, id string, answer any) {
	if c.json {
		body, _ := json.Marshal(answer)
		write(w, c, http.StatusOK, body)
		return
	}
	name := func(suffix string) xml.StartElement {
		return xml.StartElement{Name: xml.Name{Local: c.action + suffix}}
	}
	response := name("Response")
	response.Attr = []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: namespaces[c.version]}}
	var body bytes.Buffer
	e := xml.NewEncoder(&body)
	_ = e.EncodeToken(response)
	_ = e.EncodeElement(answer, name("Result"))
	_ = e.Encode(metadata{RequestID: id})
	_ = e.EncodeToken(response.End())
	_ = e.Close()
	write(w, c, http.StatusOK, body.Bytes())
}

type metadata struct {
	XMLName   xml.Name `xml:"ResponseMetadata"`
	RequestID string   `xml:"RequestId"`
}

// errorResponse is the Query protocol's.
type errorResponse struct {
	XMLName   xml.Name `xml:"ErrorResponse"`
	Namespace string   `xml:"xmlns,attr,omitempty"`
	Type      string   `xml:"Error>Type"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

func writeFault(w http.ResponseWriter, c call, id string, f *fault) {
	if c.json {
		code := jsonCode(f.code)
		w.Header().Set("X-Amzn-Errortype", code)
		body, _ := json.Marshal(map[string]string{"__type": code, "message": f.message})
		write(w, c, f.status, body)
		return
	}
	blame := "Sender"
	if f.status >= 500 {
		blame = "Receiver"
	}
	body, _ := xml.Marshal(errorResponse{Namespace: namespaces[c.version], Type: blame, Code: f.code, Message: f.message, RequestID: id})
	write(w, c, f.status, body)
}

// jsonCode is what JSON services call an error of the Query protocol.
func jsonCode(code string) string {
	switch code {
	case "SignatureDoesNotMatch":
		return "InvalidSignatureException"
	case "InvalidClientTokenId":
		return "UnrecognizedClientException"
	case "ExpiredToken", "IncompleteSignature", "MissingAuthenticationToken", "AccessDenied", "Throttling", "InternalFailure":
		return strings.Replace(code, "InternalFailure", "InternalServer", 1) + "Exception"
	}
	return code
}

func write(w http.ResponseWriter, c call, status int, body []byte) {
	kind := "text/xml"
	if c.json {
		kind = "application/x-amz-json-1.1"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
