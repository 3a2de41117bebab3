package teams

import (
	"context"
	"errors"
	"fmt"

	"pushback/detect/notify/post"
)

// Reach makes sure that the webhooks' hosts answer, whatever it is. It posts
// nothing, and no request of it holds a webhook's address.
func (t *Teams) Reach(ctx context.Context) error {
	var errs []error
	known := map[string]bool{}
	for _, c := range t.all() {
		host := c.webhook.url.Host()
		if known[host] {
			continue
		}
		known[host] = true
		if err := post.Reach(ctx, t.options.Transport, t.options.Timeout, host); err != nil {
			errs = append(errs, fmt.Errorf("teams: reaching %s: %w. Check that the app may connect to it", host, err))
		}
	}
	return errors.Join(errs...)
}
