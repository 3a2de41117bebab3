package kql

// bindWatchlist is _GetWatchlist('alias'): the items of a watchlist, from
// where the database says.
func bindWatchlist(b *binder, n *call) relation {
	if len(n.args) != 1 {
		if len(n.args) > 1 {
			panic(unsupportedError(n.args[1].pos(), "%s() takes the alias of a watchlist and no more arguments", n.fn.text))
		}
		panic(semanticError(n.span, "SEM0219", "%s() takes 1 argument and got 0", n.fn.text))
	}
	alias := b.constantName(n.args[0], "the alias of the watchlist", n.fn.text)
	if b.dry && b.db.Watchlists == nil {
		panic(&unknownColumns{n.span, n.fn.text + "()"})
	}
	if b.db.Watchlists == nil {
		panic(semanticError(n.args[0].pos(), "SEM0100", "the watchlist '%s' is not there: no watchlists are given", alias))
	}
	t, err := b.db.Watchlists(alias)
	if err != nil {
		panic(semanticError(n.args[0].pos(), "SEM0100", "%s", err))
	}
	s := newScan(t.unscoped())
	b.scans = append(b.scans, s)
	return s
}

// unscoped is the same table out of reach of the query's timespan, which is for
// the workspace's tables.
func (t *Table) unscoped() *Table {
	out := *t
	out.generated, out.received = -1, -1
	return &out
}
