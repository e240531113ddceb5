package api

import (
	"encoding/json"
	"net/http"
)

// healthz says that the process serves, and nothing of its shard.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte("ok\n"))
}

// readiness is the answer of /readyz.
type readiness struct {
	Ready   bool     `json:"ready"`
	Reasons []string `json:"reasons,omitempty"`
}

// readyz says whether the validator can serve now, and if not, why.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	reasons := s.backend.Ready()
	w.Header().Set("Content-Type", "application/json")
	if len(reasons) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	json.NewEncoder(w).Encode(readiness{Ready: len(reasons) == 0, Reasons: reasons})
}
