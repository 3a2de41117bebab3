package sample

import "strconv"

func itoa(n int) string { return strconv.Itoa(n) }

// last returns the last n bytes of s, or s if it has no more.
func last(s string, n int) string { return s[max(0, len(s)-n):] }
