import { tellStories } from './operator-stories.ts';

tellStories('cluster');
