package authserver

import (
	"net/http"
	"strings"

	"github.com/ory/fosite"
)

// introspect says what an access token is (RFC 7662). Anyone may ask: the
// server is for one machine.
func (s *Server) introspect(w http.ResponseWriter, r *http.Request) {
	request, err := s.find(r.Context(), r.PostFormValue("token"))
	if err != nil {
		respond(w, http.StatusOK, map[string]any{"active": false})
		return
	}
	answer := describe(request)
	answer["active"] = true
	answer["exp"] = request.GetSession().GetExpiresAt(fosite.AccessToken).Unix()
	respond(w, http.StatusOK, answer)
}

func describe(request fosite.AccessRequester) map[string]any {
	answer := map[string]any{
		"client_id": request.GetClient().GetID(), "token_type": "Bearer", "scope": strings.Join(request.GetGrantedScopes(), " "),
	}
	if subject := request.GetSession().GetSubject(); subject != "" {
		answer["sub"] = subject
	}
	if cnf := bound(request); cnf != nil {
		answer["cnf"] = cnf
		if cnf[keyThumbprint] != "" {
			answer["token_type"] = "DPoP"
		}
	}
	return answer
}

// api wants an access token (RFC 6750), and says whose it is.
func (s *Server) api(w http.ResponseWriter, r *http.Request) {
	scheme, accessToken, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	request, err := s.find(r.Context(), accessToken)
	if err != nil {
		refuse(w, "this server did not issue the token, or it has expired")
		return
	}
	cnf := bound(request)
	if thumbprint := cnf[certThumbprint]; thumbprint != "" && thumbprint != certificateThumbprint(r) {
		refuse(w, "the token is bound to another certificate, or sent without one")
		return
	}
	if thumbprint := cnf[keyThumbprint]; thumbprint != "" {
		by, err := s.proofs.check(r.Header.Get("DPoP"), expected{r.Method, s.base(r) + "/api", accessToken})
		if err == nil && (by != thumbprint || !strings.EqualFold(scheme, "DPoP")) {
			err = errOtherKey
		}
		if err != nil {
			s.proofs.refuse(w, err, http.StatusUnauthorized)
			return
		}
	}
	respond(w, http.StatusOK, describe(request))
}

func refuse(w http.ResponseWriter, description string) {
	w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	respond(w, http.StatusUnauthorized, map[string]string{"error": "invalid_token", "error_description": description})
}
