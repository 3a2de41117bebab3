package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// noCredential never has a token.
type noCredential struct{ err error }

func (c noCredential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{}, c.err
}

func TestTokenError(t *testing.T) {
	t.Parallel()
	unset := noCredential{azidentity.NewCredentialUnavailableError("EnvironmentCredential: missing environment variable")}
	for _, test := range []struct {
		name  string
		tried []azcore.TokenCredential
		want  string
	}{
		{"one that is set up and fails", []azcore.TokenCredential{unset, noCredential{errors.New("ManagedIdentityCredential failed.\n-------\nRESPONSE 400\n-------\nTo troubleshoot, visit https://aka.ms/x#y")}},
			"ManagedIdentityCredential failed. RESPONSE 400"},
		{"none that is set up", []azcore.TokenCredential{unset, noCredential{azidentity.NewCredentialUnavailableError("AzureCLICredential: Please run\n'az login'\x1b[2J")}},
			`EnvironmentCredential: missing environment variable; AzureCLICredential: Please run 'az login'\x1b[2J`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			chain, err := azidentity.NewChainedTokenCredential(test.tried, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = plainCredential{chain}.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://api.example/.default"}})
			var e *tokenError
			if !errors.As(fmt.Errorf("asking: %w", err), &e) {
				t.Fatalf("%T", err)
			}
			if want := "there is no token for https://api.example: " + test.want + ": " + tokenAdvice; e.Error() != want {
				t.Errorf("got  %s\nwant %s", e, want)
			}
		})
	}
}
