"""Is the challenger better than the champion, by how much, and where is it worse?"""
