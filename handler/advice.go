package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"pushback/detect/transport"
)

// withHost names only the host of a request that failed and not all of its
// address.
func withHost(request *url.Error) error {
	host := "the service"
	if u, err := url.Parse(request.URL); err == nil {
		host = u.Host
	}
	return fmt.Errorf("%s could not be reached: %w", host, request.Err)
}

// advised adds to an error what to do about a service that was not reached at
// all. Other errors say so themselves.
func advised(err error) error {
	var (
		said     *tokenError
		refused  *azidentity.AuthenticationFailedError
		unknown  *net.DNSError
		distrust *tls.CertificateVerificationError
		broken   *net.OpError
	)
	switch {
	case errors.As(err, &said):
		return err
	case errors.As(err, &refused):
		return fmt.Errorf("%w: %s", err, tokenAdvice)
	case errors.As(err, &unknown):
		return fmt.Errorf("%w: check the name, and that DNS knows it; a private endpoint needs its DNS zone linked to the app's network", err)
	case errors.As(err, &distrust):
		return fmt.Errorf("%w: check that the machine trusts the certificate, which may be that of a proxy", err)
	case errors.As(err, &broken), errors.Is(err, context.DeadlineExceeded), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: check the endpoint, and that the firewall and the proxy let the app connect to it", err)
	}
	return err
}

// impatient has a client give up while there is time to say why. With the tries
// of a tick all that is known is that the check's time is up.
func impatient(o *azcore.ClientOptions) {
	const connectTimeout = 5 * time.Second
	o.Transport = &http.Client{Transport: transport.New(connectTimeout)}
	o.Retry = policy.RetryOptions{MaxRetries: 1, RetryDelay: 500 * time.Millisecond, MaxRetryDelay: 5 * time.Second}
}

// token gets a token, often only to see whether there is one: once a client waits for
// it, it is the client's time that is up.
func token(ctx context.Context, options azcore.ClientOptions, scope string) (azcore.AccessToken, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	credential, err := identity(options)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	return credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}})
}

// checkTimeout is how long one check may take, and tokenTimeout a token, which
// the Azure CLI may need some seconds for.
const (
	checkTimeout = time.Minute
	tokenTimeout = 15 * time.Second
)
