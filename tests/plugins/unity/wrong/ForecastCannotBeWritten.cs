// SPDX-License-Identifier: Apache-2.0
// expected: CS0200

internal static class Wrong
{
    internal static void Call(PoseBridge.BorrowedForecast forecast)
    {
        forecast.PValue = 1; // wrong
    }
}
