package hook

import (
	"testing"

	"github.com/airhook-go/airhook/airhooktest"
)

func TestMain(m *testing.M) { airhooktest.Main(m) }
