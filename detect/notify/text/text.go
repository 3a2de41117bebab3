// Package text makes text from logs safe to show, and holds the sentences that
// destinations share.
//
// What comes from a log is shown and never obeyed: not by a terminal ([Safe]),
// not by what reads Markdown ([Markdown]) or HTML ([Entities]), and not by a
// program that makes links of bare addresses ([Defang]).
package text
