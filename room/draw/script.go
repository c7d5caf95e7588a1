package draw

import _ "embed" // verify.js

// VerifyScript is verify.js: the module with which a page checks a receipt, `verify(receipt, known)` → {ok, step}. The steps are those of
// Receipt.Verify. It needs WebCrypto, so a page over TLS or on localhost.
//
//go:embed verify.js
var VerifyScript []byte
