// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The command line of the benches that drive a browser: `--server PATH` says which program is
// measured, where tests/support/server.mjs looks for it (import that behind this).
import { resolve } from 'node:path'

/** `argv`: what is left when option(NAME, OTHERWISE) has taken each NAME with its value. */
export function commandLine() {
    const argv = process.argv.slice(2)
    const option = (name, otherwise) => {
        const at = argv.indexOf(name)
        return at < 0 ? otherwise : argv.splice(at, 2)[1]
    }
    process.env.HUTONG_BIN = resolve(option('--server', 'build/release/hutong'))
    return { argv, option }
}
