// SPDX-License-Identifier: Apache-2.0

namespace PoseBridge
{
    /// <summary>
    /// Takes frames from one thread (a tracker's callback) to another (the main thread) without garbage. When it is full the oldest
    /// frame makes room.
    /// </summary>
    public sealed class PoseFrameQueue
    {
        private readonly object _lock = new object();
        private readonly PoseFrame[] _frames;
        private int _first;
        private int _count;

        /// <param name="landmarks">Number of landmarks of a frame, J.</param>
        /// <param name="capacity">Frames that may wait, 1 or more.</param>
        public PoseFrameQueue(int landmarks, int capacity)
        {
            if (capacity < 1)
            {
                throw new PoseBridgeArgumentException("capacity", "is " + capacity, "1 or more");
            }
            _frames = new PoseFrame[capacity];
            for (int i = 0; i < capacity; i++)
            {
                _frames[i] = new PoseFrame(landmarks);
            }
        }

        /// <summary>Frames that were dropped because nobody read them in time.</summary>
        public long Dropped { get; private set; }

        /// <summary>Copy a frame in.</summary>
        public void Push(PoseFrame frame)
        {
            lock (_lock)
            {
                if (_count == _frames.Length)
                {
                    _first = (_first + 1) % _frames.Length;
                    _count--;
                    Dropped++;
                }
                _frames[(_first + _count) % _frames.Length].CopyFrom(frame);
                _count++;
            }
        }

        /// <summary>Copy the oldest frame out; false if there is none.</summary>
        public bool TryPop(PoseFrame frame)
        {
            lock (_lock)
            {
                if (_count == 0)
                {
                    return false;
                }
                frame.CopyFrom(_frames[_first]);
                _first = (_first + 1) % _frames.Length;
                _count--;
                return true;
            }
        }

        /// <summary>Forget all frames that wait.</summary>
        public void Clear()
        {
            lock (_lock)
            {
                _count = 0;
            }
        }
    }
}
