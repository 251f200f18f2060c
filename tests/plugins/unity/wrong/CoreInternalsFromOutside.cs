// SPDX-License-Identifier: Apache-2.0
// expected: CS0122

internal static class Wrong
{
    internal static void Call()
    {
        PoseBridge.UnsafeNativeMethods.posebridge_now_us(); // wrong
    }
}
