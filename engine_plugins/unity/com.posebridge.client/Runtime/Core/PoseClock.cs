// SPDX-License-Identifier: Apache-2.0

namespace PoseBridge
{
    /// <summary>A monotonic clock in microseconds, the one that the native library uses.</summary>
    public static class PoseClock
    {
        /// <summary>Microseconds since some fixed moment. A good clock to stamp frames with if you have none.</summary>
        public static ulong NowUs => UnsafeNativeMethods.posebridge_now_us();
    }
}
