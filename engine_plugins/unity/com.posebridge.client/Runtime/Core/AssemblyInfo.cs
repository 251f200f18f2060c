// SPDX-License-Identifier: Apache-2.0

using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("PoseBridge.Tests.Editor")]
[assembly: InternalsVisibleTo("PoseBridge.Tests.Native")]
