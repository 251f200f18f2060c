// SPDX-License-Identifier: Apache-2.0

namespace PoseBridge
{
    /// <summary>An alert after one of its changes. The same change may come twice: compare Id and Revision.</summary>
    public sealed class PoseAlert
    {
        private readonly PoseAlertJoint[] _joints;

        internal unsafe PoseAlert(NativeAlert* alert)
        {
            Id = NativeText.Read(alert->Id, NativeAlert.IdBytes);
            Revision = alert->Revision;
            Cursor = alert->Cursor;
            State = (AlertState)alert->State;
            AvatarId = NativeText.Read(alert->AvatarId, NativeAlert.AvatarIdBytes);
            StartedUs = alert->StartedUs;
            RaisedUs = alert->RaisedUs;
            EndedUs = alert->EndedUs;
            PValue = alert->PValue;
            Score = alert->Score;
            Threshold = alert->Threshold;
            Severity = (AlertSeverity)alert->Severity;
            int count = (int)(alert->JointCount < NativeAlert.MaxJoints ? alert->JointCount : NativeAlert.MaxJoints);
            NativeJoint* joints = &alert->Joint0;
            _joints = new PoseAlertJoint[count];
            for (int i = 0; i < count; i++)
            {
                string name = NativeText.Read(joints[i].Name, NativeJoint.NameBytes);
                _joints[i] = new PoseAlertJoint((int)joints[i].Landmark, joints[i].Share, name);
            }
        }

        public string Id { get; }

        public uint Revision { get; }

        /// <summary>The change's place in the server's log of alerts.</summary>
        public ulong Cursor { get; }

        public AlertState State { get; }

        public string AvatarId { get; }

        /// <summary>When the unusual motion began, in microseconds of the clock that frames are stamped with.</summary>
        public ulong StartedUs { get; }

        /// <summary>When the alert was raised, in microseconds of the clock that frames are stamped with.</summary>
        public ulong RaisedUs { get; }

        /// <summary>When it ended, in microseconds of the clock that frames are stamped with; 0 while it is on.</summary>
        public ulong EndedUs { get; }

        /// <summary>How often normal motion is at least as surprising, 0 to 1.</summary>
        public double PValue { get; }

        /// <summary>Evidence, to be compared with <see cref="Threshold"/>.</summary>
        public float Score { get; }

        public float Threshold { get; }

        public AlertSeverity Severity { get; }

        /// <summary>Number of body parts that are named, up to 8.</summary>
        public int JointCount => _joints.Length;

        /// <summary>One of the body parts that contributed.</summary>
        public PoseAlertJoint Joint(int index)
        {
            return _joints[index];
        }

        public override string ToString()
        {
            return State + " " + Severity + " alert " + Id + " of " + AvatarId + ", p-value " + PValue;
        }
    }

    /// <summary>One part of the body in an alert.</summary>
    public struct PoseAlertJoint
    {
        internal PoseAlertJoint(int landmark, float share, string name)
        {
            Landmark = landmark;
            Share = share;
            Name = name;
        }

        public int Landmark { get; }

        /// <summary>Its share of the surprise, 0 to 1.</summary>
        public float Share { get; }

        public string Name { get; }
    }
}
