// SPDX-License-Identifier: Apache-2.0

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;

namespace PoseBridge
{
    /// <summary>
    /// Takes what one client logs on its background thread and keeps it until it is read. At most <see cref="Capacity"/> messages
    /// wait; the oldest makes room.
    /// </summary>
    internal sealed class NativeLog
    {
        internal const int Capacity = 64;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        private delegate void LogFunction(IntPtr user, int level, IntPtr message);

        // The delegate must outlive every client, or the pointer that native code holds would dangle.
        private static readonly LogFunction Function = Receive;
        private static readonly object Registry = new object();
        private static readonly Dictionary<int, NativeLog> Open = new Dictionary<int, NativeLog>();
        private static int _lastId;

        private readonly Queue<PoseLogMessage> _messages = new Queue<PoseLogMessage>(Capacity);
        private readonly int _id;

        internal NativeLog()
        {
            lock (Registry)
            {
                _id = ++_lastId;
                Open.Add(_id, this);
            }
        }

        internal IntPtr FunctionPointer => Marshal.GetFunctionPointerForDelegate(Function);

        /// <summary>Goes through native code as `log_user`: a number, as no managed pointer may.</summary>
        internal IntPtr User => new IntPtr(_id);

        internal bool TryRead(out PoseLogMessage message)
        {
            lock (_messages)
            {
                if (_messages.Count == 0)
                {
                    message = default(PoseLogMessage);
                    return false;
                }
                message = _messages.Dequeue();
                return true;
            }
        }

        internal void Close()
        {
            lock (Registry)
            {
                Open.Remove(_id);
            }
        }

        [MonoPInvokeCallback(typeof(LogFunction))]
        private static void Receive(IntPtr user, int level, IntPtr message)
        {
            // An exception must not run into native code, which cannot catch it.
            try
            {
                NativeLog log;
                lock (Registry)
                {
                    if (!Open.TryGetValue(user.ToInt32(), out log))
                    {
                        return;
                    }
                }
                log.Add(new PoseLogMessage((PoseLogLevel)level, NativeText.Read(message)));
            }
            catch (Exception)
            {
                // A message is lost; the client goes on.
            }
        }

        private void Add(PoseLogMessage message)
        {
            lock (_messages)
            {
                if (_messages.Count == Capacity)
                {
                    _messages.Dequeue();
                }
                _messages.Enqueue(message);
            }
        }
    }
}
