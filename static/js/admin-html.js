// The rule for texts that become HTML in Django's admin, whose jQuery knows no policy of ours. It is no
// module, so that it runs before jQuery. A browser refuses HTML with a script, and every text or
// address of a script.

window.trustedTypes?.createPolicy("default", {
  createHTML: (html) => (/<script/i.test(html) ? null : html),
});
