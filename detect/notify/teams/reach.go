package teams

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// Reach makes sure that the webhooks' hosts answer, whatever it is. It posts
// nothing, and no request of it holds a webhook's address.
func (t *Teams) Reach(ctx context.Context) error {
	var errs []error
	known := map[string]bool{}
	for _, c := range t.all() {
		host := c.webhook.reveal().Host
		if known[host] {
			continue
		}
		known[host] = true
		if err := t.reach(ctx, host); err != nil {
			errs = append(errs, fmt.Errorf("teams: reaching %s: %w. Check that the app may connect to it", host, err))
		}
	}
	return errors.Join(errs...)
}

func (t *Teams) reach(ctx context.Context, host string) error {
	ctx, cancel := context.WithTimeout(ctx, t.options.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, "https://"+host+"/", nil)
	if err != nil {
		return err
	}
	response, err := t.options.Transport.RoundTrip(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}
