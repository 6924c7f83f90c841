// SPDX-License-Identifier: Apache-2.0
let hostVersion = "0.1.0"
