// SPDX-License-Identifier: Apache-2.0

using System;
using System.Runtime.InteropServices;

namespace PoseBridge
{
    /// <summary>
    /// Owns one native client. A call that runs on another thread holds the handle, so the client is destroyed after it, never
    /// during it.
    /// </summary>
    internal sealed class NativeClientHandle : SafeHandle
    {
        private readonly NativeLog _log;

        internal NativeClientHandle(IntPtr client, NativeLog log) : base(IntPtr.Zero, true)
        {
            _log = log;
            SetHandle(client);
        }

        public override bool IsInvalid => handle == IntPtr.Zero;

        protected override bool ReleaseHandle()
        {
            UnsafeNativeMethods.posebridge_destroy(handle);
            // Only now: until here the background thread may still log.
            _log?.Close();
            return true;
        }
    }
}
