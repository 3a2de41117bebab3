package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"pushback/detect/notify/sentinel"
	"pushback/detect/notify/text"
	"pushback/detect/rule/pull"
	"pushback/handler/settings"
)

// workspaceFlag is the flag of commands that read rules of the live workspace.
func workspaceFlag(cmd *cobra.Command, id *string) {
	cmd.Flags().StringVar(id, "workspace", "", fmt.Sprintf("resource id of the workspace (default: %s_WORKSPACE_RESOURCE_ID, or %[1]s_SENTINEL_WORKSPACE)", settings.Prefix))
}

// oneFolder takes the one argument of a command, a folder of rules.
func oneFolder(cmd *cobra.Command, args []string) error {
	if len(args) != 1 || args[0] == "" {
		return usageError{fmt.Errorf("%s takes one folder of rules, and got %s: see %s --help", cmd.Name(), count(int64(len(args)), "argument"), cmd.CommandPath())}
	}
	return nil
}

// openRules returns what reads the rules of the workspace that has a resource id, or of
// the one of the settings. Nothing is sent yet.
func openRules(s settings.Settings, id string, tunes ...tune) (*pull.Client, error) {
	named := id != ""
	if id = cmp.Or(id, s.WorkspaceResourceID, s.SentinelWorkspace); id == "" {
		return nil, fmt.Errorf("no workspace is named: set %s_WORKSPACE_RESOURCE_ID to its resource id, %s, or give it with --workspace", settings.Prefix, sentinel.WorkspaceForm)
	}
	w, err := sentinel.ParseWorkspace(id)
	if err != nil {
		err = errors.New(strings.TrimPrefix(err.Error(), "sentinel: "))
		if named {
			return nil, usageError{fmt.Errorf("--workspace: %w", err)}
		}
		return nil, err
	}
	options, err := cloudOptions(s, tunes)
	if err != nil {
		return nil, err
	}
	credential, err := identity(options)
	if err != nil {
		return nil, fmt.Errorf("the identity for the workspace: %w", err)
	}
	return pull.New(w, credential, options)
}

// openBoth returns what reads the workspace, and a folder of rules as it is.
func openBoth(workspace, dir string) (*pull.Client, *pull.Folder, error) {
	s, err := settings.Read()
	if err != nil {
		return nil, nil, err
	}
	client, err := openRules(s, workspace)
	if err != nil {
		return nil, nil, err
	}
	folder, err := pull.ReadFolder(dir)
	if err != nil {
		return nil, nil, usageError{err}
	}
	return client, folder, nil
}

// report writes the warnings among what is wrong with rules of the folder, with those of
// the workspace and with what was done with both, and returns the errors.
func report(warn *warnings, folder *pull.Folder, content pull.Content, problems []pull.Problem) (failed []error) {
	for _, p := range folder.Problems {
		failed = append(failed, p)
	}
	if content.Rules != nil {
		problems = slices.Concat(content.Rules.Problems, problems)
	}
	for _, p := range problems {
		if p.Warning {
			warn.write(text.Safe(p.Text))
			continue
		}
		failed = append(failed, errors.New(p.Text))
	}
	return failed
}

// readContent reads what a workspace holds. What cannot be read is not there, and its
// error is among those that are returned; that there is no token is said once.
func readContent(ctx context.Context, c *pull.Client, functions, watchlists bool) (content pull.Content, failed []error, err error) {
	read := func(one func() error) {
		if err != nil {
			return
		}
		switch wrong := one(); {
		case wrong == nil:
		case ctx.Err() != nil:
			err = ctx.Err()
		default:
			failed = append(failed, wrong)
			if _, none := errors.AsType[*tokenError](wrong); none {
				err = wrong
			}
		}
	}
	read(func() error {
		rules, wrong := c.Rules(ctx)
		if wrong == nil {
			content.Rules = &rules
		}
		return wrong
	})
	if functions {
		read(func() (wrong error) {
			content.Functions, wrong = c.Functions(ctx)
			return wrong
		})
	}
	if watchlists {
		read(func() (wrong error) {
			content.Watchlists, wrong = c.Watchlists(ctx)
			return wrong
		})
	}
	return content, failed, err
}
